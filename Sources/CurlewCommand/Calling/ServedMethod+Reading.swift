#if Tools
import Curlew

extension ServedMethod {
    /// The methods of the command line, at least one.
    ///
    /// - Parameters:
    ///   - answers: `METHOD=ANSWER`, or `METHOD` for one that returns its parameters.
    ///   - commands: `METHOD=COMMAND`.
    static func all(answers: [String], commands: [String], _ dialect: DialectArgument) throws -> [Self] {
        let all = try answers.map(Self.init(answer:)) + commands.map(Self.init(command:))
        guard !all.isEmpty else {
            throw CommandFailure("There is no method; write it after the device, as in 'Lamp.Get={\"on\":true}'.")
        }
        var known: Set<String> = []
        for method in all {
            try method.name.requireName(of: "method")
            if let objection = dialect.objection(to: method.name) {
                throw CommandFailure("The method '\(method.name)' would never be called: \(objection).")
            }
            guard known.insert(dialect.comparable(method.name)).inserted else {
                throw CommandFailure("The method '\(method.name)' is given twice; give it once.")
            }
        }
        return all
    }

    private init(answer text: String) throws {
        let (name, answer) = text.splitAtEquals
        let kind: Kind? = try answer.map { .answer(try JSONValue(argument: $0)) }
        self.init(name: name, kind: kind ?? .echo)
    }

    private init(command text: String) throws {
        let (name, command) = text.splitAtEquals
        guard let command, !command.isEmpty else {
            throw CommandFailure("'--command \(text)' has no command; write it as METHOD=COMMAND.")
        }
        self.init(name: name, kind: .command(command))
    }
}
#endif
