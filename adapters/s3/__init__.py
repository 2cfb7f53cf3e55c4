"""S3: objects, versions, multipart uploads, listings, notifications."""
