"""Processes that a function leaves running: they end with its instance at the latest."""


def test_a_process_that_outlives_its_invocation_ends_with_the_instance(
    server, attacker, unharmed, ended_on_host, name
):
    def attack(word):
        import os, sys

        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                script = "import time\nwhile True: print('daemon'); time.sleep(.01)"
                os.execv(sys.executable, [sys.executable, "-u", "-S", "-c", script, word])
            os._exit(0)
        os.wait()
        return "answered"

    invoke = attacker(attack)
    assert invoke(name) == ("answered", None)
    assert invoke(name) == ("answered", None)
    unharmed()
    server.client("lambda").delete_function(FunctionName=name)
    ended_on_host(name)


def test_the_end_of_the_runtime_is_the_end_of_what_it_started(attacker, ended_on_host, name):
    def attack(word):
        import os, subprocess, sys

        script = "import time; time.sleep(600)"
        subprocess.Popen([sys.executable, "-S", "-c", script, word], start_new_session=True)
        os._exit(7)

    value, error = attacker(attack)(name)
    assert (value["errorType"], error) == ("Runtime.ExitError", "Unhandled")
    assert value["errorMessage"].endswith(" Error: Runtime exited with error: exit status 7")
    ended_on_host(name)
