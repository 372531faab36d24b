"""The same work as bare_loop in Python's asyncio: contend_asyncio.py N W COMMAND ARG..."""
import asyncio
import resource
import sys


async def main(count, width, command):
    gate = asyncio.Semaphore(width)

    async def one():
        async with gate:
            child = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            await child.communicate()

    await asyncio.gather(*(one() for _ in range(count)))


hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]))
