-- Row 23: a task has nobody to yield to.
-- expect: error invalid coroutine.yield
ctx:spawn("side", function() coroutine.yield() end):join()
