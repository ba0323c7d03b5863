#!/usr/bin/env python3
"""A page as C: embed.py PAGE.html NAME > NAME.h makes the array NAME of its parts, cut at the marks <!--#word-->."""
import re
import sys

page, name = sys.argv[1:]
with open(page, encoding="utf-8") as file:
    parts = re.split(r"<!--#\w+-->", file.read())
print(f"static const char *const {name}[] = {{")
for part in parts:
    for line in part.splitlines(keepends=True) or [""]:
        print('\t"' + line.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"')
    print("\t,")
print("};")
