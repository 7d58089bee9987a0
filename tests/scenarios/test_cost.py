"""What functions used, and what AWS would take for it: the sums are those of the REPORT lines."""

import decimal
import json
import os
import re
import subprocess

import pytest

from lampejo_server import ACCOUNT, REGION, binary, eventually

SLEEPING = """
import time

def handler(event, context):
    time.sleep(event.get("seconds", 0))
    return 1 / event.get("by", 1)
"""
REPORT = re.compile(
    r"REPORT RequestId: (\S+)\tDuration: ([\d.]+) ms\tBilled Duration: (\d+) ms\t"
    r"Memory Size: (\d+) MB\tMax Memory Used: \d+ MB\t(?:Init Duration: ([\d.]+) ms)?"
)
MEMORY_PRICE = decimal.Decimal("0.0000166667")
ARM_PRICE = decimal.Decimal("0.0000133334")
STORAGE_PRICE = decimal.Decimal("0.0000000309")
REQUEST_PRICE = decimal.Decimal("0.0000002")


@pytest.fixture
def cost(own_server):
    """Runs `lampejo cost`; answers with its JSON, or its lines."""

    def run(*words, json_form=True):
        done = subprocess.run(
            [binary(), "cost", *words, *(["--json"] if json_form else [])],
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, "AWS_ENDPOINT_URL": own_server.endpoint},
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if json_form else done.stdout.splitlines()

    return run


def reports(server, name):
    """(milliseconds, billed milliseconds, MB, milliseconds of init) of each invocation."""
    found = [REPORT.match(line) for line in server.log_lines(name, "REPORT")]
    return [
        (float(it[2]), int(it[3]), int(it[4]), float(it[5]) if it[5] else None) for it in found
    ]


def all_reports(server, name, count):
    eventually(lambda: len(reports(server, name)) == count, f"{count} reports")
    return reports(server, name)


def amount(text):
    return decimal.Decimal(text)


def test_the_sums_are_those_of_the_reports(own_server, cost, name):
    own_server.function(
        name, SLEEPING, MemorySize=512, EphemeralStorage={"Size": 1024}, Timeout=10
    )
    for _ in range(3):
        own_server.invoke(name, {"seconds": 0.05})
    assert own_server.invoke(name, {"by": 0})[1] == "Unhandled"
    lines = all_reports(own_server, name, 4)
    billed = sum(line[1] for line in lines)

    report = cost("--function", name)
    (row,) = report["rows"]
    assert (row["region"], row["function"]) == (REGION, name)
    assert (row["requests"], row["errors"], row["billedMs"]) == (4, 1, billed)
    gb_seconds = decimal.Decimal(billed) / 1000 / 2
    assert amount(row["gbSeconds"]) == gb_seconds
    assert amount(row["cost"]["duration"]) == gb_seconds * MEMORY_PRICE
    assert amount(row["cost"]["requests"]) == 4 * REQUEST_PRICE
    # Half a GB beyond the free half.
    assert amount(row["cost"]["ephemeralStorage"]) == gb_seconds * STORAGE_PRICE
    parts = ("requests", "duration", "ephemeralStorage")
    assert amount(row["cost"]["total"]) == sum(amount(row["cost"][part]) for part in parts)

    found = row["metrics"]
    assert (found["Invocations"], found["Errors"], found["Throttles"]) == (4, 1, 0)
    assert found["ColdStarts"] == len([line for line in lines if line[3] is not None]) == 1
    assert found["DurationAverage"] == pytest.approx(sum(line[0] for line in lines) / 4, abs=0.02)
    assert found["DurationMaximum"] == pytest.approx(max(line[0] for line in lines), abs=0.01)
    assert 50 <= found["DurationP50"] <= found["DurationMaximum"]
    assert found["ConcurrentExecutionsMaximum"] == 1
    assert found["InitDurationAverage"] == pytest.approx(lines[0][3], abs=0.01)

    # The table says the same, shorter.
    table = cost("--function", name, json_form=False)
    assert table[0].endswith("no free tier, savings plans or taxes")
    assert table[3].split()[:5] == [REGION, name, "4", "1", str(billed)]
    assert table[4].split()[:4] == ["total", "4", "1", str(billed)]


def test_usage_is_told_by_alias_and_by_day_and_survives(own_server, cost, name):
    client = own_server.client("lambda")
    own_server.function(name, SLEEPING, Architectures=["arm64"])
    client.publish_version(FunctionName=name)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    own_server.invoke(name)
    for _ in range(2):
        own_server.invoke(name, Qualifier="live")
    lines = all_reports(own_server, name, 3)
    own_server.restart()
    rows = cost("--by", "alias")["rows"]
    assert [(row["alias"], row["requests"]) for row in rows] == [("$LATEST", 1), ("live", 2)]
    own_server.advance(24 * 60 * 60)
    own_server.invoke(name)
    lines = all_reports(own_server, name, 4)
    report = cost("--by", "day", "--from", "2026-01-01", "--to", own_server.advance(0)[:10])
    assert [row["requests"] for row in report["rows"]] == [3, 1]
    days = [row["day"] for row in report["rows"]]
    assert days == sorted(set(days))
    billed = sum(line[1] for line in lines)
    assert report["total"]["billedMs"] == billed
    assert amount(report["total"]["cost"]["duration"]) == decimal.Decimal(billed) / 8000 * ARM_PRICE
    # The minute under way alone: without what ran a day ago.
    now = own_server.advance(60)
    (row,) = cost("--from", f"{now[:10]}T00:00:00Z", "--to", now)["rows"]
    assert row["requests"] == 1


def test_what_a_kill_takes_is_a_second_at_most(own_server, cost, name):
    own_server.function(name, SLEEPING)
    own_server.invoke(name)

    def written():
        # Twice what waits at most.
        own_server.advance(2)
        return cost()["total"]["requests"] == 1

    eventually(written, "it is counted")
    own_server.kill()
    own_server.start()
    assert cost()["total"]["requests"] == 1


def test_a_chain_is_what_one_request_has_caused(own_server, cost, name):
    first, second = f"{name}-first", f"{name}-second"
    told = own_server.function(second, "def handler(event, context): return 2")
    own_server.function(first, "def handler(event, context): return 1")
    own_server.client("lambda").put_function_event_invoke_config(
        FunctionName=first, DestinationConfig={"OnSuccess": {"Destination": told}}
    )
    root = "1-5759e988-bd862e3fe1be46a994272793"

    def trace(request, **_):
        request.headers["X-Amzn-Trace-Id"] = f"Root={root};Sampled=1"

    client = own_server.client("lambda")
    client.meta.events.register("before-send.lambda.Invoke", trace)
    client.invoke(FunctionName=first, InvocationType="Event")
    (one,) = all_reports(own_server, first, 1)
    (two,) = all_reports(own_server, second, 1)

    def chains():
        rows = cost("--by", "chain")["rows"]
        return rows if rows[0]["requests"] == 2 else None

    (row,) = eventually(chains, "both are counted")
    assert (row["trace"], row["functions"]) == (root, [first, second])
    assert row["billedMs"] == one[1] + two[1]
    assert amount(row["cost"]["total"]) == 2 * REQUEST_PRICE + (
        decimal.Decimal(one[1] + two[1]) / 8000 * MEMORY_PRICE
    )
    own_server.restart()
    (row,) = cost("--by", "chain")["rows"]
    assert row["functions"] == [first, second]
    own_server.invoke(second)
    assert len(cost("--by", "chain")["rows"]) == 2


def test_prices_may_be_ones_own(own_server, cost, name):
    own_server.stop()
    prices = '[regions.us-east-1]\nrequest = "1.5"\nx86 = "0"\narm = "0"\nstorage = "0"\n'
    (own_server.data / "prices.toml").write_text(prices)
    own_server.start()
    own_server.function(name, SLEEPING)
    for _ in range(3):
        own_server.invoke(name)
    assert cost()["total"]["cost"]["total"] == "4.5"


def test_a_wrong_question_is_told_so(own_server):
    done = subprocess.run(
        [binary(), "cost", "--from", "yesterday"],
        capture_output=True,
        text=True,
        env={**os.environ, "AWS_ENDPOINT_URL": own_server.endpoint},
    )
    assert done.returncode == 1
    assert '"yesterday" is neither a day' in done.stderr


def test_accounts_are_told_apart(own_server, cost, name):
    own_server.function(name, SLEEPING)
    own_server.invoke(name)
    assert cost()["total"]["requests"] == 1
    other = {**os.environ, "AWS_ENDPOINT_URL": own_server.endpoint, "AWS_ACCESS_KEY_ID": "1" * 12}
    done = subprocess.run(
        [binary(), "cost", "--json"], capture_output=True, text=True, env=other, check=True
    )
    assert ACCOUNT != "1" * 12
    assert json.loads(done.stdout)["rows"] == []
