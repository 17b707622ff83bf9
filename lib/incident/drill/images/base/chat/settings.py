"""What the environment says, read once, and printed at start as many applications do."""

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    revision: str
    e2e_test_env: str
    e2e_oauth_simulation_key: str
    staging_e2e_test: str

    @classmethod
    def from_environment(cls, environment):
        return cls(
            revision=environment.get("K_REVISION", ""),
            e2e_test_env=environment.get("E2E_TEST_ENV", ""),
            e2e_oauth_simulation_key=environment.get("E2E_OAUTH_SIMULATION_KEY", ""),
            staging_e2e_test=environment.get("STAGING_E2E_TEST", ""),
        )


SETTINGS = Settings.from_environment(os.environ)
print(
    f"config: revision={SETTINGS.revision} E2E_TEST_ENV={SETTINGS.e2e_test_env}"
    f" E2E_OAUTH_SIMULATION_KEY={SETTINGS.e2e_oauth_simulation_key} STAGING_E2E_TEST={SETTINGS.staging_e2e_test}"
)
