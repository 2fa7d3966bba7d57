from pathlib import Path

from local.stack.deploy import TEMPLATE, local_paths, read_template


def test_every_local_path_of_the_template_is_found_and_exists() -> None:
    found = local_paths(read_template(TEMPLATE))
    assert {member for _, _, member in found} == {"CodeUri", "ContentUri", "DefinitionUri"}
    assert all((TEMPLATE.parent / properties[member]).exists() for _, properties, member in found)


def test_a_path_that_is_an_object_already_is_left_alone(tmp_path: Path) -> None:
    source = tmp_path / "template.yaml"
    source.write_text(
        "Resources:\n  A: {Type: AWS::Serverless::Function, Properties: {CodeUri: {Bucket: b, Key: k}}}\n"
        "  B: {Type: AWS::Serverless::Function, Properties: {CodeUri: here}}\n  C: {Type: AWS::S3::Bucket}\n"
    )
    assert [logical_id for logical_id, _, _ in local_paths(read_template(source))] == ["B"]


def test_short_intrinsic_functions_are_read_in_their_long_form(tmp_path: Path) -> None:
    source = tmp_path / "template.yaml"
    source.write_text("A: !Ref B\nC: !GetAtt D.Arn\nE: !Sub '${F}'\n")
    assert read_template(source) == {"A": {"Ref": "B"}, "C": {"Fn::GetAtt": ["D", "Arn"]}, "E": {"Fn::Sub": "${F}"}}
