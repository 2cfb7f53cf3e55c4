"""The stack of serverless.yml: built, checked, deployed to the stand-in and used there, without an AWS account."""
