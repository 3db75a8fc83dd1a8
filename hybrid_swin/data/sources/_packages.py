"""Files that Python packages carry, found without importing the packages."""

from importlib.util import find_spec
from pathlib import Path

from hybrid_swin.errors import InputError

_PROJECTS = {"skimage": "scikit-image", "sklearn": "scikit-learn"}  # where names differ


def file_of_package(package: str, name: str, what: str) -> Path:
    """The file ``name`` inside an installed package.

    Raises InputError, in which ``what`` needs it, if the package or the file is missing.
    """
    spec = find_spec(package)
    # a folder that is called so, where the command is run, has no origin
    folders = spec.submodule_search_locations if spec is not None and spec.origin else None
    project = _PROJECTS.get(package, package)
    if not folders:
        raise InputError(
            f"{what} reads images that the package {project} carries, which is not installed; "
            "pip install 'hybrid-swin[images]'"
        )
    file = Path(folders[0], name)
    if not file.is_file():
        raise InputError(
            f"{what}: the installed {project} does not carry {name}; install another release of it"
        )
    return file
