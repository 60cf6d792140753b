-- Health of a DynamoGraphDeploymentRequest for Argo CD. In: obj. Out: a table with status and message.
local health = {status = "Progressing", message = "the controller has not looked at it yet"}
local status = obj.status
if status == nil or status.phase == nil then
  return health
end
local generation = obj.metadata.generation
if generation ~= nil and status.observedGeneration ~= nil and status.observedGeneration ~= generation then
  health.message = "the controller has not looked at the present spec yet"
  return health
end

local conditions = {}
for _, condition in ipairs(status.conditions or {}) do
  conditions[condition.type] = condition
end
local function said(kind)
  return conditions[kind] ~= nil and conditions[kind].message or nil
end
health.message = said("Succeeded") or status.phase

local synced = conditions["Synced"]
if synced ~= nil and synced.status == "False" and synced.reason == "Paused" then
  return {status = "Suspended", message = said("Synced")}
end
if status.phase == "Failed" then
  health.status = "Degraded"
elseif status.phase == "Ready" then
  health.status = "Suspended"
  health.message = "planned, and waits to be applied: " .. health.message
elseif status.phase == "Deployed" then
  health.status = "Healthy"
  if synced ~= nil and synced.status == "False" then
    health.message = health.message .. "; " .. said("Synced")
  end
elseif status.phase == "Deploying" then
  local serving = conditions["DeploymentReady"]
  if serving ~= nil and serving.reason == "DeploymentDegraded" then
    health.status = "Degraded"
    health.message = serving.message
  end
end
return health
