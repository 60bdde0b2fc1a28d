"""Paho and aiomqtt for Python with the same work as `curlew bench`; see peer.h.

Usage: python_peer.py paho|aiomqtt pub|sub|rtt PORT QOS COUNT
"""

import asyncio
import json
import resource
import sys
import threading
import time

import aiomqtt
import paho.mqtt.client as paho

TOPICS = [f"bench/{i}" for i in range(64)]
PAYLOAD = b"what every client of the comparison sends".ljust(64, b"\0")
WINDOW = 1000


class Result:
    """A measurement, from its creation to `write`."""

    def __init__(self, count):
        self.count = count
        self.times = []
        self.started, self.cpu_started = time.monotonic(), self.cpu()

    @staticmethod
    def cpu():
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return usage.ru_utime + usage.ru_stime

    def write(self):
        seconds, cpu = time.monotonic() - self.started, self.cpu() - self.cpu_started
        values = {"count": self.count, "seconds": seconds, "rate": self.count / seconds}
        values["cpu_us_per_message"] = cpu * 1e6 / self.count
        if self.times:
            times = sorted(self.times)
            values["p50_us"] = times[len(times) // 2] * 1e6
            values["p99_us"] = times[len(times) * 99 // 100] * 1e6
            values["max_us"] = times[-1] * 1e6
        print(json.dumps(values))


# Paho: callbacks on its own thread.


def paho_client(port, on_message=None):
    client = paho.Client(paho.CallbackAPIVersion.VERSION2)
    client.max_inflight_messages_set(WINDOW)
    client.on_message = on_message
    ready = threading.Event()
    client.on_connect = lambda *_: ready.set()
    client.on_subscribe = lambda *_: ready.set()
    client.connect("127.0.0.1", port)
    client.loop_start()
    ready.wait()
    ready.clear()

    def subscribe(topic, qos):
        client.subscribe(topic, qos)
        ready.wait()

    return client, subscribe


def paho_publish(port, qos, count):
    client, _ = paho_client(port)
    window = threading.Semaphore(WINDOW)
    client.on_publish = lambda *_: window.release()
    result = Result(count)
    for i in range(count):
        window.acquire()
        client.publish(TOPICS[i % 64], PAYLOAD, qos)
    for _ in range(WINDOW):
        window.acquire()
    return result


def paho_receive(port, qos, count):
    left = count
    done = threading.Event()

    def on_message(*_):
        nonlocal left
        left -= 1
        if left == 0:
            done.set()

    client, subscribe = paho_client(port, on_message)
    result = Result(count)
    subscribe(f"fire/{count}/{qos}/64/#", qos)
    done.wait()
    return result


def paho_round_trips(port, qos, count):
    done = threading.Event()
    sent_at = 0.0

    def on_request(client, *_):
        client.publish("rtt/reply", PAYLOAD, qos)

    def on_reply(client, *_):
        nonlocal sent_at
        now = time.monotonic()
        result.times.append(now - sent_at)
        if len(result.times) == count:
            done.set()
        else:
            sent_at = time.monotonic()
            client.publish("rtt/request", PAYLOAD, qos)

    requester, subscribe = paho_client(port, on_reply)
    subscribe("rtt/reply", qos)
    _, subscribe = paho_client(port, on_request)
    subscribe("rtt/request", qos)
    result = Result(count)
    sent_at = time.monotonic()
    requester.publish("rtt/request", PAYLOAD, qos)
    done.wait()
    return result


# aiomqtt: coroutines over Paho.


def aiomqtt_client(port):
    return aiomqtt.Client("127.0.0.1", port, max_inflight_messages=WINDOW, max_concurrent_outgoing_calls=WINDOW)


async def aiomqtt_publish(port, qos, count):
    async with aiomqtt_client(port) as client:
        numbers = iter(range(count))

        async def work():
            for i in numbers:
                await client.publish(TOPICS[i % 64], PAYLOAD, qos)

        result = Result(count)
        await asyncio.gather(*(work() for _ in range(1 if qos == 0 else WINDOW)))
        return result


async def aiomqtt_receive(port, qos, count):
    async with aiomqtt_client(port) as client:
        result = Result(count)
        await client.subscribe(f"fire/{count}/{qos}/64/#", qos)
        left = count
        async for _ in client.messages:
            left -= 1
            if left == 0:
                return result


async def aiomqtt_round_trips(port, qos, count):
    async with aiomqtt_client(port) as requester, aiomqtt_client(port) as responder:
        await requester.subscribe("rtt/reply", qos)
        await responder.subscribe("rtt/request", qos)

        async def respond():
            async for _ in responder.messages:
                await responder.publish("rtt/reply", PAYLOAD, qos)

        responding = asyncio.create_task(respond())
        result = Result(count)
        replies = aiter(requester.messages)
        for _ in range(count):
            sent_at = time.monotonic()
            await requester.publish("rtt/request", PAYLOAD, qos)
            await anext(replies)
            result.times.append(time.monotonic() - sent_at)
        responding.cancel()
        return result


def main():
    library, work = sys.argv[1:3]
    port, qos, count = map(int, sys.argv[3:6])
    if library == "paho":
        run = {"pub": paho_publish, "sub": paho_receive, "rtt": paho_round_trips}[work]
        run(port, qos, count).write()
    else:
        run = {"pub": aiomqtt_publish, "sub": aiomqtt_receive, "rtt": aiomqtt_round_trips}[work]
        asyncio.run(run(port, qos, count)).write()


main()
