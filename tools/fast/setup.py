"""Builds the wheel of the fast form, in the tree that make_tree.py has laid out."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from mypyc.build import mypycify
from setuptools import setup
from setuptools.command.build_ext import build_ext

WORKERS = os.cpu_count() or 1


class InParallel(build_ext):
    """Compiles as many files at once as there are processors."""

    def build_extensions(self) -> None:
        one_by_one = self.compiler.compile

        def compile(sources: list[str], **options: Any) -> list[str]:
            with ThreadPoolExecutor(WORKERS) as pool:
                return [made for [made] in pool.map(lambda one: one_by_one([one], **options), sources)]

        self.compiler.compile = compile
        super().build_extensions()


setup(
    cmdclass={"build_ext": InParallel},
    ext_modules=mypycify(
        ["--config-file=mypy.ini", *Path("compiled.txt").read_text().split()],
        opt_level="2",
        debug_level="0",
        multi_file=True,
    ),
)
