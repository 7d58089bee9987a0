# frozen_string_literal: true

module AwsLambda
  # What events and results are turned into. Functions may define its methods anew.
  class Marshaller
    class << self
      # JSON, parsed; anything else as it came.
      def marshall_request(event)
        return event.body unless event['Content-Type'] == 'application/json'

        JSON.parse(event.body.force_encoding(Encoding::UTF_8))
      end

      # JSON; an `IO` is taken for what it holds.
      def marshall_response(response)
        return [response, 'application/unknown'] if response.respond_to?(:read)

        response.to_json
      end
    end
  end
end
