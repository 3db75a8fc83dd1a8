"""What a parser says of a wrong argument, in words that the user can act on."""

import re

from jsonargparse import ArgumentParser

from hybrid_swin.errors import InputError, did_you_mean, unknown

_FILES = (".yaml", ".yml", ".json")  # of settings: a study's, a comparison's, a receipt


def explained(message: str, parser: ArgumentParser) -> InputError:
    """The parser's message, shortened to what the user can act on."""
    stray = re.search(r"unrecognized arguments: (\S+)", message)
    if stray:
        name = stray[1].partition("=")[0]
        known = [option for action in parser._actions for option in action.option_strings]
        if name.endswith(_FILES) and "--config" in known:
            return InputError(f"stray argument {name!r}; give a file as --config {name}")
        if not name.startswith("-"):
            return InputError(f"stray argument {name!r}; options are written --name value")
        near = [k for k in known if k.startswith(name.rpartition(".")[0] or "--")]
        error = unknown("option", name, near or known)
        return InputError(str(error).partition(" (")[0] + "; --help lists all")
    choice = re.search(r"argument (\S+): invalid choice: '(.*)' \(choose from (.*)\)", message)
    if choice:
        allowed = choice[3].replace("'", "")
        slip = did_you_mean(choice[2], allowed.split(", "))
        return InputError(f"{choice[1]} must be one of {allowed}; got {choice[2]!r}{slip}")
    missing = re.search(r"the following arguments are required: (.*)", message)
    if missing:
        name = parser.prog.replace(" [options]", "")
        return InputError(f"{name} needs {missing[1]}; --help says what they are")
    word = re.search(r'Parser key "([^"]+)": Unable to load config "(.*)"', message)
    if word:
        return InputError(
            f"{word[1]} has settings of its own{_inside(word[1], parser)}; got {word[2]!r}"
        )
    option = re.search(r'Parser key "([^"]+)".*Option \'(.*)\' is not accepted', message, re.DOTALL)
    if option:
        return InputError(f"{option[1]}: unknown setting {option[2]!r}; --help lists all")
    empty = re.search(
        r'Parser key "([^"]+)".*Not a valid subclass of .*Got value: \{\}', message, re.DOTALL
    )
    if empty:
        return InputError(
            f"{empty[1]}: an entry without settings; give it at least one, or leave it out"
        )
    wrong = re.search(r'Parser key "[^"]+":(.*)', message, re.DOTALL)
    if wrong:
        place = ".".join(dict.fromkeys(re.findall(r'Parser key "([^"]+)"', message)))
        value = re.search(r"(?:Got|Given) value: (.*)", wrong[1])
        types = re.findall(r"Expected an? (.*?)(?:\. Got value|\n|$)", wrong[1])
        allowed = " or ".join(dict.fromkeys(_type_in_words(t) for t in types))
        if value and allowed:
            slip = did_you_mean(value[1], re.findall(r"[\w-]+", allowed.partition("one of ")[2]))
            return InputError(f"{place} must be {allowed}; got {value[1].strip()!r}{slip}")
        return InputError(f"{place}: {' '.join(wrong[1].split())}")
    return InputError(" ".join(message.split()))


def _inside(name: str, parser: ArgumentParser) -> str:
    """The options within a group, as in ", such as --wandb.mode"."""
    options = [option for action in parser._actions for option in action.option_strings]
    inside = [option for option in options if option.startswith(f"--{name}.")]
    return f", such as {' and '.join(inside[:2])}" if inside else ""


def _type_in_words(name: str) -> str:
    choices = re.search(r"Literal\[(.*)\]", name)
    if choices:
        return ("one of " if "," in choices[1] else "") + choices[1].replace("'", "")
    words = {
        "int": "a whole number",
        "float": "a number",
        "str": "text",
        "bool": "true or false",
        "NoneType": "null",
        "dict": "a mapping",
        "list": "a list",
        "tuple": "a list",
        "collections.abc.Mapping": "a mapping",
        "collections.abc.Sequence": "a list",
    }
    bare = re.sub(r"<class '(.*)'>", r"\1", name).partition("[")[0]
    return words.get(bare, bare)
