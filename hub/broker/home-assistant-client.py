"""What Home Assistant's MQTT client does, with the library it does it with: run by home-assistant-client.test.ts."""

import json
import os
import sys
import threading

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

port, version, configs_expected, commands = (int(argument) for argument in sys.argv[1:5])
PROTOCOL = {4: paho.MQTTv311, 5: paho.MQTTv5}[version]
# It puts up to 500 filters into one SUBSCRIBE.
FILTERS = ["homeassistant/+/+/config", "homeassistant/+/+/+/config"] + [f"home/state/{n}" for n in range(498)]


def tell(event, **fields):
    print(json.dumps({"event": event, **fields}), flush=True)


configs = set()
acknowledged = 0
lock = threading.Lock()


def on_connect(client, userdata, flags, reason, properties):
    tell("connected", reason=reason.value, present=flags.session_present)
    client.publish("homeassistant/status", "online", qos=1, retain=True)
    client.subscribe([(topic, 1) for topic in FILTERS] if version == 4 else [(topic, SubscribeOptions(qos=1)) for topic in FILTERS])


def on_subscribe(client, userdata, mid, reasons, properties):
    tell("subscribed", granted=sum(1 for reason in reasons if reason.value == 1), of=len(reasons))


def on_message(client, userdata, message):
    if message.topic.endswith("/config"):
        before = len(configs)
        if message.retain:
            configs.add(message.topic)
        if before < configs_expected <= len(configs):
            tell("discovered", configs=len(configs), qos=message.qos)
            threading.Thread(target=command, daemon=True).start()
    else:
        tell("state", topic=message.topic, payload=message.payload.decode(), retain=bool(message.retain))


def on_publish(client, userdata, mid, reason, properties):
    global acknowledged
    with lock:
        acknowledged += 1
        # One is that of the birth message.
        if acknowledged == commands + 1:
            tell("commanded", acknowledged=acknowledged)


def command():
    for n in range(commands):
        client.publish("home/command", str(n), qos=1)


def on_disconnect(client, userdata, flags, reason, properties):
    tell("disconnected", reason=reason.value)


client = paho.Client(CallbackAPIVersion.VERSION2, client_id="homeassistant", protocol=PROTOCOL, **({"clean_session": True} if version == 4 else {}))
client.username_pw_set("wild", "wild-secret")
client.on_connect = on_connect
client.on_subscribe = on_subscribe
client.on_message = on_message
client.on_publish = on_publish
client.on_disconnect = on_disconnect
will_properties = {}
if version == 5:
    will_properties["properties"] = Properties(PacketTypes.WILLMESSAGE)
client.will_set("homeassistant/status", "offline", qos=1, retain=True, **will_properties)
client.connect("127.0.0.1", port, keepalive=60, **({"clean_start": True} if version == 5 else {}))
client.loop_start()
for line in sys.stdin:
    if line.strip() == "die":
        os._exit(1)
    if line.strip() == "leave":
        client.disconnect()
        client.loop_stop()
        sys.exit(0)
