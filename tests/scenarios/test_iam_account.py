"""What IAM knows of an account as a whole: passwords, credentials, what was used."""

import csv
import io

METADATA = (
    '<?xml version="1.0"?><EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" '
    f'entityID="https://id.example.com"><!-- {"x" * 1000} --><IDPSSODescriptor '
    'protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"><SingleSignOnService '
    'Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" '
    'Location="https://id.example.com/sso"/></IDPSSODescriptor></EntityDescriptor>'
)


def test_passwords_follow_the_accounts_rules(own_server, name, refused):
    iam = own_server.client("iam")
    iam.create_user(UserName=name)
    iam.update_account_password_policy(MinimumPasswordLength=12, RequireSymbols=True)
    shown = iam.get_account_password_policy()["PasswordPolicy"]
    assert (shown["MinimumPasswordLength"], shown["ExpirePasswords"]) == (12, False)
    text = "Password should have at least one symbol"
    with refused("PasswordPolicyViolation", text, 400):
        iam.create_login_profile(UserName=name, Password="correcthorse1")
    made = iam.create_login_profile(
        UserName=name, Password="correct-horse", PasswordResetRequired=True
    )
    assert made["LoginProfile"]["PasswordResetRequired"] is True
    own_server.restart()
    iam.update_login_profile(UserName=name, PasswordResetRequired=False)
    assert iam.get_login_profile(UserName=name)["LoginProfile"]["PasswordResetRequired"] is False
    # As tools do that remove a user with all it has.
    assert iam.list_mfa_devices(UserName=name)["MFADevices"] == []
    assert iam.list_ssh_public_keys(UserName=name)["SSHPublicKeys"] == []
    assert iam.list_signing_certificates(UserName=name)["Certificates"] == []
    iam.delete_login_profile(UserName=name)
    iam.delete_user(UserName=name)


def test_a_credential_report_is_a_table_of_users(own_server, name):
    iam = own_server.client("iam")
    iam.create_user(UserName=name)
    iam.create_access_key(UserName=name)
    states = [iam.generate_credential_report()["State"] for _ in range(2)]
    assert states == ["STARTED", "COMPLETE"]
    report = iam.get_credential_report()
    assert report["ReportFormat"] == "text/csv"
    rows = {row["user"]: row for row in csv.DictReader(io.StringIO(report["Content"].decode()))}
    assert rows[name]["access_key_1_active"] == "true"
    assert rows["<root_account>"]["arn"].endswith(":root")


def test_a_saml_provider_keeps_its_metadata(server, name, refused):
    iam = server.client("iam")
    made = iam.create_saml_provider(Name=name, SAMLMetadataDocument=METADATA)
    arn = made["SAMLProviderArn"]
    assert iam.get_saml_provider(SAMLProviderArn=arn)["SAMLMetadataDocument"] == METADATA
    assert arn in [it["Arn"] for it in iam.list_saml_providers()["SAMLProviderList"]]
    with refused("InvalidInput", "Could not parse metadata", 400):
        iam.update_saml_provider(SAMLProviderArn=arn, SAMLMetadataDocument="x" * 1000)
    iam.delete_saml_provider(SAMLProviderArn=arn)
    with refused("NoSuchEntity", f"Manifest not found for arn {arn}", 404):
        iam.get_saml_provider(SAMLProviderArn=arn)


def test_the_advisor_lists_the_services_that_a_role_reaches(server, name):
    iam = server.client("iam")
    trust = '{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}}'
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)
    policy = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
    iam.attach_role_policy(RoleName=name, PolicyArn=policy)
    arn = iam.get_role(RoleName=name)["Role"]["Arn"]
    job = iam.generate_service_last_accessed_details(Arn=arn)["JobId"]
    found = iam.get_service_last_accessed_details(JobId=job)
    assert found["JobStatus"] == "COMPLETED"
    assert [it["ServiceNamespace"] for it in found["ServicesLastAccessed"]] == ["logs"]
    granting = iam.list_policies_granting_service_access(Arn=arn, ServiceNamespaces=["logs", "s3"])
    logs, s3 = granting["PoliciesGrantingServiceAccess"]
    assert [it["PolicyArn"] for it in logs["Policies"]] == [policy]
    assert s3["Policies"] == []
