-- Row 12: 800 characters and four lazy repetitions: 10^11 ways to try.
-- expect: error invalid too many steps
-- limits: time=60000
return (("a"):rep(800):find(".-.-.-.-b"))
