#if Tools
import ArgumentParser
import CurlewCore

/// The topics of a subcommand, from -t, from arguments and from the URL.
enum Topics {
    /// The one topic name to publish to.
    ///
    /// - Parameter takesLast: Whether the last of several topics counts, as in mosquitto's commands.
    static func one(_ all: [String], takesLast: Bool = false) throws -> TopicName {
        guard let topic = all.last else {
            throw CommandFailure("The topic is missing; give it with -t, in the URL, or as an argument.")
        }
        guard all.count == 1 || takesLast else {
            throw CommandFailure(
                "There are \(all.count) topics, but a message has only one; give one topic.")
        }
        do throws(TopicError) { return try TopicName(topic) } catch { throw CommandFailure("\(error)") }
    }

    /// The topic filters to subscribe to, at least one, without duplicates.
    static func someFilters(_ all: [String]) throws -> [TopicFilter] {
        let filters = try Self.filters(all)
        guard !filters.isEmpty else {
            throw CommandFailure("The topic is missing; give at least one with -t, in the URL, or as an argument.")
        }
        return filters
    }

    /// The topic filters, without duplicates.
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
