import CurlewBroker
import Testing

/// A request checked against an access file, and the expected decision.
struct AccessCase: Sendable, CustomTestStringConvertible {
    enum Action: Sendable {
        case write, read
    }

    var rules: String
    var user: String?
    var identifier: String
    var action = Action.write
    var topic: String
    var isAllowed: Bool

    var client: MQTTBrokerClient { MQTTBrokerClient(identifier: self.identifier, username: self.user) }

    var testDescription: String {
        "\(self.rules.debugDescription): \(self.user ?? "nobody") as \(self.identifier) \(self.action) \(self.topic)"
    }

    private init(_ rules: String, _ user: String?, _ topic: String, _ isAllowed: Bool) {
        self.init(rules, user, "c", .write, topic, isAllowed)
    }

    private init(_ rules: String, _ user: String?, _ identifier: String, _ topic: String, _ isAllowed: Bool) {
        self.init(rules, user, identifier, .write, topic, isAllowed)
    }

    private init(
        _ rules: String, _ user: String?, _ identifier: String, _ action: Action, _ topic: String, _ isAllowed: Bool
    ) {
        self.rules = rules
        self.user = user
        self.identifier = identifier
        self.action = action
        self.topic = topic
        self.isAllowed = isAllowed
    }

    static let all = sections + denials + access + patterns + unsafeNames

    private static let sections: [AccessCase] = [
        // Rules before the first `user` line apply only to clients without a user name.
        .init("topic a\nuser u\ntopic b", nil, "a", true), .init("topic a\nuser u\ntopic b", nil, "b", false),
        .init("topic a\nuser u\ntopic b", "u", "a", false), .init("topic a\nuser u\ntopic b", "u", "b", true),
        .init("topic a\nuser u\ntopic b", "v", "a", false),
        // A user's rules may be split over several sections.
        .init("user u\ntopic a\nuser v\ntopic b\nuser u\ntopic c", "u", "a", true),
        .init("user u\ntopic a\nuser v\ntopic b\nuser u\ntopic c", "u", "c", true),
        .init("user u\ntopic a\nuser v\ntopic b\nuser u\ntopic c", "u", "b", false),
        .init("user u v\ntopic a", "u v", "a", true), .init("user u v\ntopic a", "u", "a", false),
        .init("", nil, "a", false), .init("# nothing", "u", "a", false),
    ]

    private static let denials: [AccessCase] = [
        .init("user u\ntopic a/#\ntopic deny a/b", "u", "a/b", false),
        .init("user u\ntopic deny a/b\ntopic a/#", "u", "a/b", false),
        .init("user u\ntopic deny a/b\ntopic a/#", "u", "a/c", true),
        .init("user u\ntopic deny a/#\ntopic a/b", "u", "a/b", false),
        // A user's own rules take precedence over patterns, whether they allow or deny.
        .init("user u\ntopic a/b\npattern deny a/#", "u", "a/b", true),
        .init("user u\ntopic a/b\npattern deny a/#\npattern a/#", "u", "a/c", false),
        .init("user u\ntopic deny a/b\npattern readwrite a/#", "u", "a/b", false),
        .init("user u\ntopic deny a/b\npattern readwrite a/#", "u", "a/c", true),
        .init("user u\ntopic deny a/b\npattern readwrite a/#", "w", "a/b", true),
        // A user's rule that grants a different right leaves the decision to the patterns.
        .init("user u\ntopic read a\npattern write a", "u", "a", true),
    ]

    private static let access: [AccessCase] = [
        .init("topic read a", nil, "a", false), .init("topic write a", nil, "a", true),
        .init("topic readwrite a", nil, "a", true), .init("topic a", nil, "a", true),
        .init("topic read a", nil, "c", .read, "a", true), .init("topic write a", nil, "c", .read, "a", false),
        .init("topic read a\ntopic write a", nil, "c", .read, "a", true),
        .init("topic read a\ntopic write a", nil, "a", true),
        .init("topic readwrite   a  b", nil, "a  b", true),
        .init("topic #", nil, "a/b", true), .init("topic #", nil, "$x", false), .init("topic +/a", nil, "$x/a", false),
        .init("topic $x/#", nil, "$x/y", true), .init("topic a/#", nil, "a", true),
        .init("topic a/+", nil, "a", false), .init("topic a/+", nil, "a/", true),
    ]

    private static let patterns: [AccessCase] = [
        .init("pattern d/%c/x", "u", "d/c/x", true), .init("pattern d/%c/x", nil, "d/c/x", true),
        .init("pattern d/%c/x", "u", "d/z/x", false), .init("pattern d/%c/x", "u", "d/c/x/y", false),
        .init("pattern d/%u/x", "u", "d/u/x", true), .init("pattern d/%u/x", nil, "d//x", false),
        .init("pattern d/%u/#", "u", "d/u", true), .init("pattern +/%u/+", "u", "a/u/b", true),
        .init("pattern pre%cpost/%c%u", "U", "C", "preCpost/CU", true),
        .init("pattern a/%x/%%c", "U", "C", "a/%x/%C", true), .init("pattern a/%x/%%c", "U", "C", "a/%x/%c", false),
        .init("topic %c", nil, "c", false), .init("topic %c", nil, "%c", true),
        .init("pattern deny no/%u\npattern no/#", "u", "no/u", false),
        .init("pattern deny no/%u\npattern no/#", "v", "no/u", true),
        .init("pattern deny no/%u\npattern no/#", nil, "no/u", true),
        .init("user u\npattern p/#\ntopic a", "v", "p/1", true),
        .init("pattern $x/%u", "u", "$x/u", true),
    ]

    /// Names that act as wildcards, or as `$` topics, once they are inserted into a topic filter.
    private static let unsafeNames: [AccessCase] = [
        .init("pattern d/%c/x", "u", "+", "d/z/x", false), .init("pattern d/%c", "u", "#", "d/z/x", false),
        .init("pattern d/%u/x", "+", "d/z/x", false), .init("pattern d/%u/x", "a+b", "d/z/x", false),
        .init("pattern %c/#", "u", "$SYS", "$SYS/x", false), .init("pattern %u/#", "$SYS", "$SYS/x", false),
        // A deny pattern cannot be applied to such a name, so everything is denied.
        .init("pattern deny no/%u\npattern no/#", "+", "no/x", false),
    ]

    /// Cases where our decision differs from mosquitto's.
    static let ownAnswers: [AccessCase] = [
        .init("pattern d/%c/x", "u", "a/b", "d/a/b/x", false),
        .init("pattern deny no/%u\npattern no/#", "a/b", "no/x", false),
        .init("pattern p/#\npattern d/%c", "u", "a+b", "p/x", true),
    ]
}
