import Testing

@testable import Curlew

@Suite("Topics of calls")
struct CallTopicTests {
    private static func answer(_ status: String, _ id: String) -> CallSlots {
        var slots = CallSlots(id: id)
        slots[.status] = status
        return slots
    }

    @Test("A topic is filled with values, and read again")
    func roundTrip() {
        let topic = CallTopic("plant/{device}/command/{method}/{id}")
        let values = CallSlots(device: "pump-3", method: "start", id: "9")
        #expect(topic.filled(with: values) == "plant/pump-3/command/start/9")
        #expect(topic.values(in: "plant/pump-3/command/start/9") == values)
        #expect(topic.values(in: "plant/pump-3/command/start") == nil)
        #expect(topic.values(in: "plant/pump-3/other/start/9") == nil)
        #expect(topic.filter(with: CallSlots(device: "pump-3")) == "plant/pump-3/command/+/+")
    }

    @Test("A level may have text around its slot")
    func affixes() {
        let topic = CallTopic("$iothub/methods/res/{status}/?$rid={id}")
        #expect(topic.values(in: "$iothub/methods/res/200/?$rid=7f") == Self.answer("200", "7f"))
        #expect(topic.values(in: "$iothub/methods/res/200/?$sid=7f") == nil)
        #expect(topic.filter(with: CallSlots()) == "$iothub/methods/res/+/+")
        #expect(topic.filled(with: Self.answer("404", "1")) == "$iothub/methods/res/404/?$rid=1")
    }

    @Test("The rest of a topic can be one value")
    func rest() {
        let topic = CallTopic("{device}/bridge/response/{method...}")
        #expect(topic.values(in: "z/bridge/response/device/rename") == CallSlots(device: "z", method: "device/rename"))
        #expect(topic.filter(with: CallSlots(device: "z")) == "z/bridge/response/#")
        let slots = CallSlots(device: "z", method: "device/rename")
        #expect(topic.filled(with: slots) == "z/bridge/response/device/rename")
    }

    @Test("A device may have several levels")
    func deviceLevels() {
        let topic = CallTopic("zigbee2mqtt/{device}/set")
        #expect(topic.filter(with: CallSlots(), deviceLevels: 2) == "zigbee2mqtt/+/+/set")
        #expect(topic.values(in: "zigbee2mqtt/kitchen/lamp/set", deviceLevels: 2) == CallSlots(device: "kitchen/lamp"))
        #expect(topic.values(in: "zigbee2mqtt/lamp/set", deviceLevels: 2) == nil)
    }

    @Test("What is no slot is refused", arguments: ["a/{b}", "a/+/c", "{method...}/x", "#", "{device"])
    func objection(text: String) { #expect(CallTopic(text).objection != nil) }
}
