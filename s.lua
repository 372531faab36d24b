local t = ctx:parallel({"left","right"}, function(c,i) return c:agent { name = i, prompt = "p" }.text end, {key=function(i) return i end})
ctx:gate { action = "release", why = "because", show = "the thing" }
return #t
