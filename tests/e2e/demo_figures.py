"""The figures that each demo ends with, in their order."""

FIGURES = [
    "objects",
    "migrated",
    "lost",
    "wrong",
    "stale",
    "duplicates_delivered",
    "workers_killed",
    "audit_events",
    "audit_missing",
    "seconds",
]
