"""The keys that break migrators: class by class, a legacy key and where it must be afterwards."""

RULES = """
version: 1
migration: awkward
source: {{bucket: {bucket}}}
target: {{bucket: {bucket}}}
rules:
  - {{name: move, from: "old/{{rest*}}", to: "new/{{rest}}"}}
  - {{name: leading-slash, from: "/old/{{rest*}}", to: "/new/{{rest}}"}}
""".replace("{{rest}}", "{{rest*}}")

NAMES = {
    "space": "a b/ c .bin",
    "leading-and-trailing-space": " a ",
    "plus": "a+b.bin",
    "percent": "100%.bin",
    "encoded-slash": "a%2Fb.bin",
    "encoded-plus": "a%2Bb%20c.bin",
    "hash": "a#b.bin",
    "query": "file?versionId=x",
    "double-slash": "/a//b",
    "trailing-slash": "folder/",
    "dot": "a/./b",
    "dot-dot": "a/../b",
    "emoji": "🏭/🍪.bin",
    "combining": "e\u0301/A\u030a.bin",
    "composed": "\u00e9/\u00c5.bin",
    "single-quote": "it's.bin",
    "double-quote": 'a"b".bin',
    "newline": "a\nb.bin",
    "carriage-return": "a\r\nb.bin",
    "control-characters": "a\x01\x1f\x7f\tb.bin",
    "xml": "a<b>&amp;c.bin",
    "backslash": "a\\b.bin",
    "1024-bytes": "n" * 1_020,
    "1024-bytes-of-emoji": "🏭" * 255,
}
KEYS = {name: (f"old/{text}", f"new/{text}") for name, text in NAMES.items()}
KEYS["leading-slash"] = ("/old/a.bin", "/new/a.bin")
