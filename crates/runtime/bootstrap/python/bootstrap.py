"""Starts a Python function: `bootstrap.py FORKS SDK_FOLDER OPT_FOLDER...`.

FORKS is empty unless instances are to be forked from the process.

Only what every function needs is imported before the function itself: the start of an instance is
measured in milliseconds. Read next: `lampejo/loop.py`.
"""

import os
import sys


def set_search_path(sdk, layers):
    """Function, layers, runtime, standard library, SDK: what comes first wins."""
    runtime = os.environ["LAMBDA_RUNTIME_DIR"]
    site_packages = "lib/python%d.%d/site-packages" % sys.version_info[:2]
    path = [os.environ["LAMBDA_TASK_ROOT"]]
    for layer in layers:
        path += [layer + "/python/" + site_packages, layer + "/python"]
    path.append(runtime)
    path += [folder for folder in sys.path if folder not in path]
    if sdk:
        path.append(sdk)
    sys.path[:] = path


def main():
    forks, sdk, layers = sys.argv[1], sys.argv[2], sys.argv[3:]
    del sys.argv[1:]
    from lampejo import loop  # This folder is first in the search path until it is set.

    set_search_path(sdk, layers)
    loop.run(bool(forks))


if __name__ == "__main__":
    main()
