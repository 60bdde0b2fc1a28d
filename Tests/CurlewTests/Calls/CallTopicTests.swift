import Testing

@testable import Curlew

@Suite("Topics of calls")
struct CallTopicTests {
    @Test("A topic is filled with values, and read again")
    func roundTrip() {
        let topic = CallTopic("plant/{device}/command/{method}/{id}")
        let values: [CallSlot: String] = [.device: "pump-3", .method: "start", .id: "9"]
        #expect(topic.filled(with: values) == "plant/pump-3/command/start/9")
        #expect(topic.values(in: "plant/pump-3/command/start/9") == values)
        #expect(topic.values(in: "plant/pump-3/command/start") == nil)
        #expect(topic.values(in: "plant/pump-3/other/start/9") == nil)
        #expect(topic.filter(with: [.device: "pump-3"]) == "plant/pump-3/command/+/+")
    }

    @Test("A level may have text around its slot")
    func affixes() {
        let topic = CallTopic("$iothub/methods/res/{status}/?$rid={id}")
        #expect(topic.values(in: "$iothub/methods/res/200/?$rid=7f") == [.status: "200", .id: "7f"])
        #expect(topic.values(in: "$iothub/methods/res/200/?$sid=7f") == nil)
        #expect(topic.filter(with: [:]) == "$iothub/methods/res/+/+")
        #expect(topic.filled(with: [.status: "404", .id: "1"]) == "$iothub/methods/res/404/?$rid=1")
    }

    @Test("The rest of a topic can be one value")
    func rest() {
        let topic = CallTopic("{device}/bridge/response/{method...}")
        #expect(topic.values(in: "z/bridge/response/device/rename") == [.device: "z", .method: "device/rename"])
        #expect(topic.filter(with: [.device: "z"]) == "z/bridge/response/#")
        #expect(topic.filled(with: [.device: "z", .method: "device/rename"]) == "z/bridge/response/device/rename")
    }

    @Test("A device may have several levels")
    func deviceLevels() {
        let topic = CallTopic("zigbee2mqtt/{device}/set")
        #expect(topic.filter(with: [:], deviceLevels: 2) == "zigbee2mqtt/+/+/set")
        #expect(topic.values(in: "zigbee2mqtt/kitchen/lamp/set", deviceLevels: 2) == [.device: "kitchen/lamp"])
        #expect(topic.values(in: "zigbee2mqtt/lamp/set", deviceLevels: 2) == nil)
    }

    @Test("What is no slot is refused", arguments: ["a/{b}", "a/+/c", "{method...}/x", "#", "{device"])
    func objection(text: String) { #expect(CallTopic(text).objection != nil) }
}
