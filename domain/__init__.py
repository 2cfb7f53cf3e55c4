"""The migration itself: pure, standard library only.

The protocol of one object is in ``protocol``, the rules and their proofs in ``rules`` and ``proofs``. ``references``
rewrites what holds URIs, ``lifecycle`` has the stages and gates, ``steering`` what an operator changes meanwhile.
``audit``, ``planning``, ``reporting`` and ``portal`` are what their names say.

Each ``ports`` module is what its package asks of the world, and ``queues`` what several ask. Each docstring there is
the contract that every adapter and fake is tested against. Every method may raise a ThrottledError, a LeaseExpiredError
or a PermanentError (nothing happened, and nothing of it is still on its way), or an UnavailableError (the effect may
have happened, or may still happen). Calls that change S3 are therefore sent once: what an SDK's own retry hides, the
caller could not tell apart. Expected answers are values.
"""
