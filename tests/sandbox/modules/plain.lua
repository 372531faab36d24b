return { answer = 42, environment = tostring, sees_core = core ~= nil or ctx ~= nil }
