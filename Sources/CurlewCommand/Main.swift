#if Tools
import ArgumentParser
import CurlewTransport

/// The entry point: parses, runs, and turns every error into one sentence and an exit code.
@main
struct CurlewCommand {
    static func main() async {
        ignoreBrokenPipes()
        let words = processArguments
        Diagnostics.speak(as: CommandNames.speaker(of: words))
        var invocation: Invocation?
        do {
            let called = try Invocation(
                words, variable: environmentVariable,
                names: environmentVariables.map { String($0.prefix { $0 != "=" }) },
                readFile: Self.text(ofFile:))
            invocation = called
            for warning in called.warnings { Diagnostics.say(warning) }
            Self.chooseEventLoops(for: called.arguments)
            var command = try Self.parse(called.arguments)
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch let failure as CommandFailure {
            if let message = failure.message { Diagnostics.say(message) }
            exitProcess(failure.exitCode)
        } catch {
            Self.exit(error, invocation)
        }
    }

    /// A client has one connection and so needs one event loop.
    private static func chooseEventLoops(for arguments: [String]) {
        let subcommand = arguments.first.flatMap(Subcommand.init(rawValue:))
        if let subcommand, Subcommand.clients.contains(subcommand) {
            EventLoops.keepToOne()
        } else {
            EventLoops.keepToOwnCores()
        }
    }

    /// Parses the arguments with the options of the subcommand only, which is faster than through the root command. If
    /// that fails, the root command parses them again: its errors and its help name the subcommand in full.
    private static func parse(_ arguments: [String]) throws -> any ParsableCommand {
        let subcommand = RootCommand.configuration.subcommands.first {
            $0.configuration.commandName == arguments.first
        }
        if let subcommand, subcommand.configuration.subcommands.isEmpty,
            let command = try? subcommand.parseAsRoot(Array(arguments.dropFirst())),
            type(of: command) == subcommand
        {
            return command
        }
        return try RootCommand.parseAsRoot(arguments)
    }

    private static func text(ofFile path: String) throws -> String? {
        do throws(SystemError) { return try textOfFile(path) } catch {
            throw CommandFailure("The options file '\(path)' cannot be read: \(error).")
        }
    }

    /// Exits after printing the requested help, or the error in the arguments.
    private static func exit(_ error: any Error, _ invocation: Invocation?) -> Never {
        if RootCommand.exitCode(for: error).isSuccess { RootCommand.exit(withError: error) }
        let message = RootCommand.message(for: error)
        Diagnostics.say(usage: invocation?.explained(message) ?? message)
        exitProcess(CommandFailure.general)
    }
}
#else
/// Stands in for the command when it is built without the package trait `Tools`.
@main
struct CurlewCommand {
    static func main() { print("curlew was built without the package trait Tools and can do nothing.") }
}
#endif
