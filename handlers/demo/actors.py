"""Something of the demo that goes on beside everything else."""

import threading


class Background:
    """A thread that goes round after round until it is stopped; an error ends it and is kept in ``failures``."""

    def __init__(self) -> None:
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.failures: list[BaseException] = []

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, when the round that goes on is over."""
        self._stopped.set()
        self._thread.join()

    def _round(self) -> None:
        raise NotImplementedError

    def _run(self) -> None:
        try:
            while not self._stopped.is_set():
                self._round()
        except Exception as error:  # noqa: BLE001  # told to the demo, which must not report success then
            self.failures.append(error)
