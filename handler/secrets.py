"""A secret that lies in Parameter Store or in Secrets Manager: one request, at init."""

from typing import Final

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from handler.aws.clients import create_client
from handler.errors import SettingsError
from handler.release import PRODUCT

__all__ = ["read_secret"]

_TIMEOUT_S: Final = 2
"""To connect, and to read; two attempts stay within init's ten seconds."""


def read_secret(arn: str) -> str:
    """Return the text that is kept under ``arn``: of a parameter, decrypted, or of a secret.

    *Cost*: a client of its own, and one GetParameter or GetSecretValue.

    Raises:
        SettingsError: It cannot be read, or is no text; the message has AWS's own words.
    """
    service, region = arn.split(":")[2:4]
    config = Config(
        region_name=region,
        connect_timeout=_TIMEOUT_S,
        read_timeout=_TIMEOUT_S,
        retries={"mode": "standard", "total_max_attempts": 2},
        user_agent_extra=PRODUCT,
    )
    client = create_client(service, config)
    try:
        if service == "ssm":
            text = client.get_parameter(Name=arn, WithDecryption=True)["Parameter"]["Value"]
        else:
            text = client.get_secret_value(SecretId=arn).get("SecretString")
    except (ClientError, BotoCoreError) as error:
        raise SettingsError(f"expected a readable secret at {arn}: {error}") from error
    finally:
        client.close()
    if text is None:
        raise SettingsError(f"expected a text at {arn} but received bytes")
    return str(text)
