"""The front end as one function: C text to `ir.Module`."""

from __future__ import annotations

from contextlib import suppress

from guest.cc import ir
from guest.cc.check import check
from guest.cc.errors import CompileError, Diagnostics, TooManyErrors
from guest.cc.lexer import tokenize
from guest.cc.lower import lower
from guest.cc.parse import parse
from guest.cc.preprocess import PreprocessOptions, preprocess


def compile_preprocessed(text: str, path: str, diagnostics: Diagnostics) -> ir.Module | None:
    """Parse, check and lower preprocessed C; None when `diagnostics` got an error."""
    diagnostics.preprocessed = (text, path)
    try:
        unit = check(parse(tokenize(text, path)), diagnostics)
        if diagnostics.errors:
            return None
        module = lower(unit, path, diagnostics)
    except CompileError as error:
        _final(diagnostics, error)
        return None
    except TooManyErrors:
        return None
    except RecursionError:
        diagnostics.error(None, f"{path}: an expression or declaration is nested too deeply")
        return None
    return None if diagnostics.errors else module


def _final(diagnostics: Diagnostics, error: CompileError) -> None:
    """Record the error that ends the work on a file."""
    with suppress(TooManyErrors):
        diagnostics.error(error.loc, error.message)


def compile_c(
    text: str, path: str, options: PreprocessOptions, diagnostics: Diagnostics
) -> tuple[ir.Module | None, list[str]]:
    """Preprocess and compile one C file; also the files it included."""
    try:
        preprocessed, files = preprocess(text, path, options, diagnostics)
    except CompileError as error:
        _final(diagnostics, error)
        return None, []
    except TooManyErrors:
        return None, []
    if diagnostics.errors:
        return None, files
    return compile_preprocessed(preprocessed, path, diagnostics), files
