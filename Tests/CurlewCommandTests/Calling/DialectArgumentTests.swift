#if Tools
import ArgumentParser
import CurlewCore
import Testing

@testable import CurlewCommand

@Suite("Values of --dialect")
struct DialectArgumentTests {
    @Test("Each dialect has a name, in any case", arguments: DialectArgument.names)
    func names(name: String) throws {
        #expect(try DialectArgument.read(name).kind.rawValue == name)
        #expect(try DialectArgument.read(name.uppercased()).kind.rawValue == name)
    }

    @Test(
        "Some dialects have a topic",
        arguments: [
            "mqtt5:{device}/rpc/{method}", "mqtt5:rpc/{device}", "mqtt5:a-{device}/{method...}",
            "mqtt5:{source}/{device}/{id}", "zigbee2mqtt:home/zigbee", "tasmota:%prefix%/%topic%/",
            "tasmota:home/bld-%topic%/%prefix%", "mongoose",
        ])
    func topics(text: String) throws {
        _ = try DialectArgument.read(text)
    }

    @Test(
        "A wrong value is refused in a sentence that says which ones are valid",
        arguments: [
            ("template", "it must be one of mqtt5, jsonrpc, shelly, "), ("", "it must be one of mqtt5"),
            (":x", "it must be one of mqtt5"), ("tasmoto", "there is no such dialect; did you mean 'tasmota'?"),
            ("shelly:", "this dialect takes no topic; write 'shelly'"),
            ("jsonrpc:a/b", "this dialect takes no topic; write 'jsonrpc'"),
            ("azure:x", "this dialect takes no topic; write 'azure'"),
            ("thingsboard-gateway:x", "this dialect takes no topic; write 'thingsboard-gateway'"),
            ("zigbee2mqtt-bridge:x", "because the device is the base topic; write 'zigbee2mqtt-bridge'"),
            ("mqtt5:", "must contain {device}"), ("mqtt5:topic/without/device", "must contain {device}"),
            ("mqtt5:{device", "must contain {device}"), ("mqtt5:{device}/#", "without + and #"),
            ("mqtt5:{device}-{method}", "in levels of their own"), ("mqtt5:{device}/{foo}", "must contain {device}"),
            ("mqtt5:{device}/{status}", "must contain {device}"),
            ("zigbee2mqtt:", "must not be empty"), ("zigbee2mqtt:a/#", "must not be empty or contain + or #"),
            ("zigbee2mqtt:{device}", "its base topic"), ("tasmota:", "must contain %prefix% and %topic%"),
            ("tasmota:foo", "must contain %prefix% and %topic%"), ("tasmota:%topic%/x", "must contain %prefix%"),
            ("tasmota:%prefix%%topic%/", "in different levels"), ("tasmota:%prefix%/%topic%/%topic%", "FullTopic"),
            ("tasmota:%prefix%/%topic%/%hostname%", "no other %"), ("tasmota:%prefix%/%topic%/+", "no + or #"),
        ])
    func refusals(text: String, sentence: String) {
        let error = #expect(throws: ValidationError.self) { try DialectArgument.read(text) }
        #expect(error?.message.contains(sentence) == true, "\(error?.message ?? "")")
    }

    @Test("Only mqtt5 needs MQTT 5, and the sentence lists the dialects that do not")
    func versions() throws {
        for name in DialectArgument.names {
            let dialect = try DialectArgument.read(name)
            for version in [ProtocolVersion.v3_1, .v3_1_1, .v5_0] {
                let objection = dialect.objection(to: version, isNegotiated: false)
                #expect((objection != nil) == (name == "mqtt5" && version < .v5_0))
            }
            #expect(dialect.objection(to: nil, isNegotiated: false) == nil)
        }
        #expect(
            DialectArgument.usual.objection(to: .v3_1_1, isNegotiated: false)
                == "the dialect mqtt5 needs MQTT 5, but the version is set to 3.1.1; leave out -V or choose another dialect "
                + "(--dialect jsonrpc, shelly, thingsboard, thingsboard-gateway, zigbee2mqtt, zigbee2mqtt-bridge, tasmota, azure)."
        )
        #expect(
            DialectArgument.usual.objection(to: .v3_1_1, isNegotiated: true)?
                .contains("but the broker only supports 3.1.1; choose another dialect") == true)
    }

    @Test(
        "A method that no call can reach is recognized",
        arguments: [
            ("mqtt5", "A/B", false), ("mqtt5", "A.B", true), ("mqtt5:rpc/{device}", "A/B", true),
            ("mqtt5:{device}/{method...}", "A/B", true), ("jsonrpc", "A/B", true), ("shelly", "A/B", true),
            ("zigbee2mqtt", "set", true), ("zigbee2mqtt", "toggle", false),
            ("zigbee2mqtt-bridge", "device/rename", true), ("tasmota", "A/B", false), ("azure", "A/B", false),
        ])
    func methods(dialect: String, method: String, isReachable: Bool) throws {
        #expect((try DialectArgument.read(dialect).objection(to: method) == nil) == isReachable)
    }

    @Test(
        "Each method of curlew serve has one answer that can be asked for",
        arguments: [
            ([], [], "mqtt5", "There is no method"), (["A=1", "A=2"], [], "mqtt5", "'A' is given twice"),
            (["A"], ["A=date"], "mqtt5", "'A' is given twice"), (["Power"], ["POWER=date"], "tasmota", "given twice"),
            (["=1"], [], "mqtt5", "The name of the method is empty"), (["A+=1"], [], "mqtt5", "contains + or #"),
            ([], ["A"], "mqtt5", "'--command A' has no command"), ([], ["A="], "mqtt5", "has no command"),
            (["A/B=1"], [], "mqtt5", "'A/B' would never be called: the method is one level of the topic"),
            (["On=1"], [], "zigbee2mqtt", "only have the methods get and set"),
            (["A={x"], [], "mqtt5", "'{x' begins like JSON but is not valid JSON"),
            (["A= [1"], [], "mqtt5", "begins like JSON"),
        ] as [([String], [String], String, String)])
    func served(answers: [String], commands: [String], dialect: String, sentence: String) throws {
        let dialect = try DialectArgument.read(dialect)
        let failure = #expect(throws: CommandFailure.self) {
            try ServedMethod.all(answers: answers, commands: commands, dialect)
        }
        #expect(failure?.message?.contains(sentence) == true, "\(failure?.message ?? "")")
    }

    @Test("Methods whose names differ in case are different, except in Tasmota")
    func cases() throws {
        let methods = try ServedMethod.all(answers: ["A=1", "a=2"], commands: [], .usual)
        #expect(methods.map(\.name) == ["A", "a"])
    }
}
#endif
