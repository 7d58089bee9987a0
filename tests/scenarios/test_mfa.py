"""Second factors: virtual devices, sessions that prove one, and policies that ask for it."""

import base64
import hashlib
import hmac
import json
import struct
import time

import pytest

from lampejo_server import ACCOUNT


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def code(seed, step):
    """RFC 6238, as programs on telephones do it."""
    key = base64.b32decode(seed)
    digest = hmac.new(key, struct.pack(">q", step), hashlib.sha1).digest()
    at = digest[19] & 15
    number = struct.unpack(">I", digest[at : at + 4])[0] & 0x7FFFFFFF
    return f"{number % 1_000_000:06}"


class Device:
    """A virtual device that shows codes by the server's clock."""

    def __init__(self, server, iam, name):
        made = iam.create_virtual_mfa_device(VirtualMFADeviceName=name)["VirtualMFADevice"]
        self.serial, self.seed = made["SerialNumber"], made["Base32StringSeed"]
        self.picture = made["QRCodePNG"]
        self.server, self.advanced = server, 0

    def now(self):
        return int(time.time() + self.advanced) // 30

    def wait(self):
        """Until it shows another code."""
        self.server.advance(30)
        self.advanced += 30

    def enable(self, iam, user, first=None, second=None):
        iam.enable_mfa_device(
            UserName=user,
            SerialNumber=self.serial,
            AuthenticationCode1=first or code(self.seed, self.now() - 1),
            AuthenticationCode2=second or code(self.seed, self.now()),
        )

    def shown(self):
        return {"SerialNumber": self.serial, "TokenCode": code(self.seed, self.now())}


@pytest.fixture(scope="module")
def strict(start, sandbox):
    with start(isolation=sandbox, auth="enforce") as server:
        lines = [line.strip() for line in server.rest_of_greeting(7)]
        found = dict(line.split("=", 1) for line in lines if line.startswith("AWS_"))
        server.root = (found["AWS_ACCESS_KEY_ID"], found["AWS_SECRET_ACCESS_KEY"])
        server.clock = 0
        yield server


@pytest.fixture
def iam(strict):
    return strict.client("iam", *strict.root)


@pytest.fixture
def device(strict, iam, name):
    device = Device(strict, iam, name)
    device.advanced = strict.clock
    yield device
    strict.clock = device.advanced


@pytest.fixture
def user(strict, iam, name):
    """A user with these statements; answers with its key."""

    def create(*statements):
        iam.create_user(UserName=name)
        if statements:
            iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=document(*statements))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return key["AccessKeyId"], key["SecretAccessKey"]

    return create


def session(given):
    return given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"]


def test_a_device_comes_and_goes(iam, device, user, name, refused):
    user()
    assert len(base64.b32decode(device.seed)) == 40
    assert device.picture.startswith(b"\x89PNG\r\n")
    assert device.serial == f"arn:aws:iam::{ACCOUNT}:mfa/{name}"
    with refused("EntityAlreadyExists"):
        iam.create_virtual_mfa_device(VirtualMFADeviceName=name)
    with refused("InvalidAuthenticationCode"):
        device.enable(iam, name, second=code(device.seed, device.now() + 7))
    assert iam.list_mfa_devices(UserName=name)["MFADevices"] == []
    device.enable(iam, name)
    [listed] = iam.list_mfa_devices(UserName=name)["MFADevices"]
    assert (listed["UserName"], listed["SerialNumber"]) == (name, device.serial)
    assert iam.get_mfa_device(SerialNumber=device.serial, UserName=name)["UserName"] == name
    virtual = iam.list_virtual_mfa_devices(AssignmentStatus="Assigned")["VirtualMFADevices"]
    assert [it["User"]["UserName"] for it in virtual if it["SerialNumber"] == device.serial] == [name]
    iam.tag_mfa_device(SerialNumber=device.serial, Tags=[{"Key": "a", "Value": "b"}])
    tags = iam.list_mfa_device_tags(SerialNumber=device.serial)["Tags"]
    assert tags == [{"Key": "a", "Value": "b"}]
    with refused("DeleteConflict"):
        iam.delete_virtual_mfa_device(SerialNumber=device.serial)
    for key in iam.list_access_keys(UserName=name)["AccessKeyMetadata"]:
        iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
    with refused("DeleteConflict"):
        iam.delete_user(UserName=name)
    iam.deactivate_mfa_device(UserName=name, SerialNumber=device.serial)
    iam.delete_virtual_mfa_device(SerialNumber=device.serial)
    iam.delete_user(UserName=name)
    with refused("NoSuchEntity"):
        iam.get_mfa_device(SerialNumber=device.serial)


def test_a_session_proves_a_second_factor(strict, iam, device, user, name, refused):
    wanted = {
        "Bool": {"aws:MultiFactorAuthPresent": "true"},
        "NumericLessThan": {"aws:MultiFactorAuthAge": "120"},
    }
    key = user({"Effect": "Allow", "Action": "sqs:*", "Resource": "*", "Condition": wanted})
    device.enable(iam, name)
    sts = strict.client("sts", *key)
    with refused("AccessDenied"):
        strict.client("sqs", *key).list_queues()
    plain = sts.get_session_token()["Credentials"]
    with refused("AccessDenied"):
        strict.client("sqs", *session(plain)).list_queues()
    shown = device.shown()
    proved = session(sts.get_session_token(**shown)["Credentials"])
    strict.client("sqs", *proved).list_queues()
    with refused(
        "AccessDenied", "MultiFactorAuthentication failed with invalid MFA one time pass code. "
    ):
        sts.get_session_token(**shown)
    with refused("AccessDenied"):
        sts.get_session_token(SerialNumber=device.serial, TokenCode="000000")
    with refused("AccessDenied") as refusal:
        sts.get_session_token(SerialNumber=f"{device.serial}x", TokenCode="123456")
    assert "unable to validate MFA code" in refusal.message
    # After two minutes it is no longer fresh.
    strict.advance(121)
    device.advanced += 121
    with refused("AccessDenied"):
        strict.client("sqs", *proved).list_queues()


def test_a_role_asks_for_a_second_factor(strict, iam, device, user, name, refused):
    key = user()
    device.enable(iam, name)
    trust = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/{name}"},
        "Action": "sts:AssumeRole",
        "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}},
    }
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(trust))["Role"]["Arn"]
    sts = strict.client("sts", *key)
    with refused("AccessDenied"):
        sts.assume_role(RoleArn=role, RoleSessionName="session")
    device.wait()
    with refused("AccessDenied") as refusal:
        sts.assume_role(
            RoleArn=role, RoleSessionName="session", SerialNumber=device.serial, TokenCode="000000"
        )
    assert "invalid MFA one time pass code" in refusal.message
    sts.assume_role(RoleArn=role, RoleSessionName="session", **device.shown())
    # A user that holds a session with a factor need not show one again.
    device.wait()
    proved = session(sts.get_session_token(**device.shown())["Credentials"])
    strict.client("sts", *proved).assume_role(RoleArn=role, RoleSessionName="session")


def test_a_clock_that_goes_wrong_is_brought_in_step(strict, iam, device, user, name, refused):
    key = user()
    device.enable(iam, name)
    late = device.now() + 9
    sts = strict.client("sts", *key)
    shown = {"SerialNumber": device.serial, "TokenCode": code(device.seed, late + 1)}
    with refused("AccessDenied"):
        sts.get_session_token(**shown)
    iam.resync_mfa_device(
        UserName=name,
        SerialNumber=device.serial,
        AuthenticationCode1=code(device.seed, late - 1),
        AuthenticationCode2=code(device.seed, late),
    )
    sts.get_session_token(**shown)
