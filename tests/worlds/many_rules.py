"""Rules of the portal's own form, as many as wanted: any beginning, a folder, a job name of 63 characters, the rest."""

import json


def portal_like(rules: int, *, target: str = "one-bucket", keep: tuple[str, ...] = ()) -> str:
    """The text of a rules file."""
    return json.dumps(
        {
            "version": 1,
            "migration": "m",
            "source": {"bucket": "one-bucket"},
            "target": {"bucket": target},
            "kinds": {"job": "[A-Za-z0-9](-*[A-Za-z0-9]){0,62}"},
            "rules": [
                {
                    "name": f"r{at}",
                    "from": f"{{root...}}/in{at}/{{job:job}}/{{rest...}}",
                    "to": f"models/t{at}/{{job}}/{{rest...}}",
                }
                for at in range(rules)
            ],
            "keep": keep,
        }
    )
