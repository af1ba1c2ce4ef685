"""Why a place of a Bicep file takes no reference, and what to do instead.

Source: Azure/bicep, docs/grammar.md; FunctionPlacementValidatorVisitor.cs (BCP180, BCP351).
"""

from __future__ import annotations

__all__ = ["ALTERNATIVES", "REASONS"]

REASONS = {
    "default": "a default value moves as a whole, not a part of it",
    "given": "a parameter file refers to a vault for a whole parameter only",
    "variable": "a variable of a parameter file cannot come from a vault",
    "argument": "this function needs its argument as it stands",
    "operand": "it is compared, or computed with",
    "output": "an output is shown to everyone who can read the deployment",
    "name": "it names a resource, or says of what kind it is",
    "decorator": "a decorator takes constants only",
    "metadata": "metadata takes constants only",
    "function": "a function of the file sees no parameters",
    "syntax": "the syntax around it is none that this reads",
}
ALTERNATIVES = {
    "default": "declare the credential as a @secure() parameter of its own, and put the text together in a variable",
    "given": "declare the credential as a @secure() parameter of its own in the template",
    "variable": "write the value at the parameters that use the variable, then run this again",
    "argument": "take the value out, or get it with az.getSecret in a parameter file",
    "operand": "compare with a @secure() parameter",
    "output": "leave the output out, and read the value from the vault where it is needed",
    "name": "choose a name that is no credential",
    "decorator": "take the value out of the decorator",
    "metadata": "take the value out of the metadata",
    "function": "hand the value to the function as an argument, from a @secure() parameter",
    "syntax": "write the value in a plain form, then run this again",
}
