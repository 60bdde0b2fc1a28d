#if Tools
import ArgumentParser
import CurlewCore

/// What a subcommand is about, from -t and from the URL.
enum Topics {
    /// The one topic name to publish to.
    ///
    /// - Parameter takesLast: Whether of several the last counts, as with mosquitto's commands.
    static func one(_ all: [String], takesLast: Bool = false) throws -> TopicName {
        guard let topic = all.last else {
            throw CommandFailure("There is no topic; give one with -t, in the URL, or as an argument.")
        }
        guard all.count == 1 || takesLast else {
            throw CommandFailure(
                "There are \(all.count) topics to publish to, and one message goes to one topic; give one.")
        }
        do throws(TopicError) { return try TopicName(topic) } catch { throw CommandFailure("\(error)") }
    }

    /// The topic filters to subscribe to, each once; at least one.
    static func someFilters(_ all: [String]) throws -> [TopicFilter] {
        let filters = try Self.filters(all)
        guard !filters.isEmpty else {
            throw CommandFailure("There is no topic to listen to; give one with -t, in the URL, or as an argument.")
        }
        return filters
    }

    /// The topic filters, each once.
    static func filters(_ options: [String]) throws -> [TopicFilter] {
        var filters: [TopicFilter] = []
        for text in options {
            do throws(TopicError) {
                let filter = try TopicFilter(text)
                if !filters.contains(filter) { filters.append(filter) }
            } catch {
                throw CommandFailure("\(error)")
            }
        }
        return filters
    }
}
#endif
