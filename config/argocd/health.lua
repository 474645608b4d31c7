-- Health of Genkan's kinds for Argo CD: argocd-cm.yaml has this text for each of them (docs/gitops.md).
-- Argo CD gives the object as `obj`, and a Lua without string, math and io.
local health = { status = "Progressing", message = "Genkan has not looked at it yet" }
if obj.metadata.deletionTimestamp ~= nil then
  health.message = "being deleted"
  return health
end
local status = obj.status
if status == nil or status.conditions == nil then
  return health
end
if status.observedGeneration ~= nil and status.observedGeneration < obj.metadata.generation then
  return health
end
local found = {}
for _, condition in ipairs(status.conditions) do
  found[condition.type] = condition
end
local function is(type, value)
  return found[type] ~= nil and found[type].status == value
end
local function say(value, type)
  health.status = value
  local condition = found[type]
  health.message = condition.reason
  if condition.message ~= nil and condition.message ~= "" then
    health.message = condition.reason .. ": " .. condition.message
  end
  return health
end
if is("Valid", "False") then
  return say("Degraded", "Valid")
end
if is("Degraded", "True") then
  return say("Degraded", "Degraded")
end
if is("Ready", "True") then
  return say("Healthy", "Ready")
end
if found.Ready ~= nil then
  return say("Progressing", "Ready")
end
return health
