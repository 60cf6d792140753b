"""From a DynamoGraphDeploymentRequest to a DynamoGraphDeployment: one journey, and two doorways into it."""
