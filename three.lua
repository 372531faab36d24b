return ctx:parallel({ 1, 2, 3 }, function(c) return c:agent { prompt = "p" }.text end)
