-- Health of a DynamoGraphDeployment for Argo CD. In: obj. Out: a table with status and message.
local status = obj.status or {}
local generation = obj.metadata.generation
local behind = generation ~= nil and status.observedGeneration ~= nil and status.observedGeneration ~= generation
local phase = status.rollingUpdate ~= nil and status.rollingUpdate.phase or nil
local rolling = phase == "Pending" or phase == "InProgress"

local message = status.state or "the Dynamo operator has not looked at it yet"
for _, condition in ipairs(status.conditions or {}) do
  if condition.type == "Ready" and condition.message ~= nil and condition.message ~= "" then
    message = condition.message
  end
end
if status.state == "failed" then
  return {status = "Degraded", message = message}
end
if status.state == "successful" and not behind and not rolling then
  return {status = "Healthy", message = message}
end
return {status = "Progressing", message = rolling and "a rolling update is under way" or message}
