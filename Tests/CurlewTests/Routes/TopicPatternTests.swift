import CurlewCore
import Testing

@testable import Curlew

@Suite("Topic patterns")
struct TopicPatternTests {
    @Test(
        "A pattern has the filter with + and # in place of its captures",
        arguments: [
            ("home/{room}/temperature", "home/+/temperature", ["room"]),
            ("{site}/{rest...}", "+/#", ["site", "rest"]),
            ("{rest…}", "#", ["rest"]),
            ("$share/g/{device}/event", "$share/g/+/event", ["device"]),
            ("a/+/{b}/#", "a/+/+/#", ["b"]),
            ("plain", "plain", []),
            ("/{a}/", "/+/", ["a"]),
        ])
    func filter(pattern: String, filter: String, names: [String]) throws {
        let parsed = try TopicPattern(pattern)
        #expect(parsed.filter.string == filter)
        #expect(parsed.names == names)
    }

    @Test(
        "Captures are the parts of the topic that they stand for",
        arguments: [
            ("home/{room}/temperature", "home/kitchen/temperature", ["room": "kitchen"]),
            ("{a}/{b}", "/x", ["a": "", "b": "x"]),
            ("a/{rest...}", "a/b/c", ["rest": "b/c"]),
            ("a/{rest...}", "a", ["rest": ""]),
            ("$share/g/{device}/event", "d1/event", ["device": "d1"]),
        ])
    func captures(pattern: String, topic: String, values: [String: String]) throws {
        let captures = try #require(try TopicPattern(pattern).captures(in: TopicName(topic)))
        for (name, value) in values { #expect(captures[name] == value) }
        #expect(captures["other"] == nil)
    }

    @Test("A topic that does not match has no captures")
    func noMatch() throws {
        #expect(try TopicPattern("home/{room}/temperature").captures(in: TopicName("home/kitchen")) == nil)
    }

    @Test(
        "An invalid pattern is refused with the part that is wrong",
        arguments: [
            ("a{b}/c", "The level \"a{b}\" of the pattern \"a{b}/c\" is not valid"),
            ("{}/c", "needs a name"), ("{a b}", "needs a name"),
            ("{a}/{a}", "two captures with the name a"), ("{rest...}/x", "must be its last level"),
            ("a/#/b", "is not valid"), ("", "is not valid"),
        ])
    func invalid(pattern: String, sentence: String) throws {
        let error = #expect(throws: MQTTError.self) { try TopicPattern(pattern) }
        #expect(error?.code == .invalidTopic)
        #expect(error?.message.contains(sentence) == true)
    }

    @Test("A capture is read as a value")
    func value() throws {
        let captures = try #require(try TopicPattern("floor/{n}").captures(in: TopicName("floor/7")))
        #expect(try captures.value("n", as: Int.self) == 7)
        #expect(try #require(throws: MQTTError.self) { try captures.value("n", as: Bool.self) }.code == .decodingFailed)
        #expect(try #require(throws: MQTTError.self) { try captures.value("m", as: Int.self) }.code == .invalidArgument)
    }

    @Test("A topic is made from values")
    func topic() throws {
        #expect(try TopicPattern("home/{room}/{rest...}").topic(["room": "a", "rest": "b/c"]) == "home/a/b/c")
        #expect(try TopicPattern("home/{rest...}").topic(["rest": ""]) == "home")
        for (pattern, values) in [("{a}", [:]), ("{a}", ["a": "x/y"]), ("+/{a}", ["a": "x"]), ("{a}", ["a": "#"])] {
            #expect(
                try #require(throws: MQTTError.self) { try TopicPattern(pattern).topic(values) }.code == .invalidTopic)
        }
    }
}

@Suite("Topics with typed parts")
struct TopicTemplateTests {
    private let template = MQTT.topic("home").part(String.self).level("floor/at").part(Int.self)

    @Test("A topic is made from values, and read into values")
    func bothWays() throws {
        #expect(self.template.filter == "home/+/floor/at/+")
        #expect(try self.template("kitchen", 2) == "home/kitchen/floor/at/2")
        let (room, floor) = try self.template.parts(of: TopicName("home/kitchen/floor/at/2"))
        #expect(room == "kitchen")
        #expect(floor == 2)
    }

    @Test("A topic of another form, and a part that is no such value, are errors")
    func otherForm() throws {
        for topic in ["home/kitchen/floor/at", "home/kitchen/roof/at/2", "home/kitchen/floor/at/x"] {
            let error = #expect(throws: MQTTError.self) { try self.template.parts(of: TopicName(topic)) }
            #expect(error?.code == .decodingFailed)
        }
    }

    @Test("A value that is no level of a topic is refused", arguments: ["a/b", "+", "#"])
    func badValue(value: String) throws {
        #expect(try #require(throws: MQTTError.self) { try self.template(value, 1) }.code == .invalidTopic)
    }

    @Test("A topic has one to three parts")
    func arities() throws {
        let one = MQTT.topic("a").part(Int.self)
        #expect(try one.parts(of: TopicName(try one(7))) == 7)
        let three = MQTT.topic("a").part(Int.self).part(String.self).level("b").part(Double.self)
        #expect(try three(1, "x", 2.5) == "a/1/x/b/2.5")
        #expect(try three.parts(of: TopicName("a/1/x/b/2.5")) == (1, "x", 2.5))
    }
}
