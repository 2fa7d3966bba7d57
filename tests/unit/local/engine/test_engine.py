from pathlib import Path

from local.engine import client_environment, endpoint_url, environment

SETTINGS = {
    "PATH": "/bin",
    "HTTPS_PROXY": "http://proxy",
    "AWS_PROFILE": "work",
    "AWS_SECRET_ACCESS_KEY": "real",
    "OPENAI_API_KEY": "sk",
    "PROVIDER_API_KEY": "sk",
}


def test_the_engine_gets_of_the_users_settings_what_programs_need_and_no_more(tmp_path: Path) -> None:
    seen = environment(4566, tmp_path, tmp_path / "layers", SETTINGS)
    assert (seen["PATH"], seen["HTTPS_PROXY"]) == ("/bin", "http://proxy")
    assert not {"AWS_PROFILE", "OPENAI_API_KEY", "PROVIDER_API_KEY"} & seen.keys()
    assert seen["AWS_SECRET_ACCESS_KEY"] != "real"


def test_the_engine_listens_on_the_loopback_alone_and_enforces_roles(tmp_path: Path) -> None:
    seen = environment(4566, tmp_path, tmp_path / "layers", {})
    assert seen["BIND_HOST"] == "127.0.0.1"
    assert (seen["SFTP_ENABLED"], seen["IOT_MTLS_ENABLED"]) == ("0", "0")
    assert seen["AUTH"] == "true"


def test_the_functions_speak_to_the_engine_past_any_proxy(tmp_path: Path) -> None:
    seen = environment(4566, tmp_path, tmp_path / "layers", SETTINGS)
    assert seen["AWS_ENDPOINT_URL"] == endpoint_url(4566) == "http://127.0.0.1:4566"
    assert "127.0.0.1" in seen["NO_PROXY"]


def test_whatever_the_engine_writes_lies_in_the_scratch_of_its_run(tmp_path: Path) -> None:
    seen = environment(4566, tmp_path, tmp_path / "layers", {})
    assert all(Path(seen[name]).is_relative_to(tmp_path) for name in ("TMPDIR", "STATE_DIR", "S3_DATA_DIR"))


def test_a_client_reads_no_configuration_of_the_users() -> None:
    seen = client_environment("http://127.0.0.1:1")
    assert (seen["AWS_CONFIG_FILE"], seen["AWS_SHARED_CREDENTIALS_FILE"]) == ("/dev/null", "/dev/null")


def test_idle_workers_of_a_burst_do_not_stay_for_minutes(tmp_path: Path) -> None:
    assert int(environment(4566, tmp_path, tmp_path / "layers", {})["LAMBDA_WARM_TTL_SECONDS"]) <= 30
