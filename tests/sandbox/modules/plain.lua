return { answer = 42, environment = tostring, sees_core = rawget(_G, "core") ~= nil or rawget(_G, "ctx") ~= nil }
