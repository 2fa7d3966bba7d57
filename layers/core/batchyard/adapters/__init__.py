"""The only code that touches boto3 and, for webhooks, the web; each module translates foreign errors into ours."""
