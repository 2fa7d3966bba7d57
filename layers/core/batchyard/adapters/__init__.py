"""The only code that touches boto3; each module translates AWS's errors into ours."""
