"""The thin ring around the domain: DynamoDB items in and out, one conditional write per command."""
