"""An app of one stack.

`cdk deploy -c digest=sha256:... -c source=my-photos -c destination=my-renditions`; the image is in
the repository `renditions` of the account, or in that of `-c repository=`.
"""

import aws_cdk as cdk
from aws_cdk import aws_ecr as ecr
from renditions_construct import Renditions, RenditionsProps

app = cdk.App()
stack = cdk.Stack(app, "renditions")
Renditions(
    stack,
    "Renditions",
    RenditionsProps(
        repository=ecr.Repository.from_repository_name(
            stack, "Repository", app.node.try_get_context("repository") or "renditions"
        ),
        digest=app.node.get_context("digest"),
        source_bucket=app.node.get_context("source"),
        destination_bucket=app.node.get_context("destination"),
    ),
)
app.synth()
