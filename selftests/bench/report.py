# SPDX-License-Identifier: LGPL-2.1-or-later
"""Headings, tables and claims."""


class Report:
    def __init__(self):
        self.passed = self.failed = 0

    def heading(self, text):
        print(f"\n{text}\n", flush=True)

    def text(self, text):
        print(f"  {text}", flush=True)

    def table(self, header, rows):
        cells = [header] + [[str(cell) for cell in row] for row in rows]
        widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
        for row in cells:
            line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths))
            print(f"  {line.rstrip()}")
        print(flush=True)

    def claim(self, holds, text):
        self.passed += bool(holds)
        self.failed += not holds
        print(f"  {'ok  ' if holds else 'FAIL'}  {text}", flush=True)

    def finish(self):
        print(f"\n{self.passed} passed, {self.failed} failed")
        return 1 if self.failed else 0
