package lampejo;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * JSON as maps, lists, strings, booleans and numbers: Integer, Long, BigInteger, or BigDecimal for
 * what is no whole number.
 */
final class JsonReader {
    private final String text;
    private int at;

    JsonReader(String text) {
        this.text = text;
    }

    Object read() {
        Object value = value();
        space();
        if (at < text.length()) {
            throw wrong("nothing more");
        }
        return value;
    }

    private Object value() {
        space();
        switch (at < text.length() ? text.charAt(at) : 0) {
            case '{':
                return object();
            case '[':
                return array();
            case '"':
                return string();
            case 't':
                return word("true", Boolean.TRUE);
            case 'f':
                return word("false", Boolean.FALSE);
            case 'n':
                return word("null", null);
            default:
                return number();
        }
    }

    private Map<String, Object> object() {
        Map<String, Object> object = new LinkedHashMap<String, Object>();
        at++;
        if (isNext('}')) {
            return object;
        }
        do {
            space();
            if (at == text.length() || text.charAt(at) != '"') {
                throw wrong("a name in quotes");
            }
            String name = string();
            if (!isNext(':')) {
                throw wrong("a colon");
            }
            object.put(name, value());
        } while (isNext(','));
        if (!isNext('}')) {
            throw wrong("a comma or the end of the object");
        }
        return object;
    }

    private List<Object> array() {
        List<Object> array = new ArrayList<Object>();
        at++;
        if (isNext(']')) {
            return array;
        }
        do {
            array.add(value());
        } while (isNext(','));
        if (!isNext(']')) {
            throw wrong("a comma or the end of the array");
        }
        return array;
    }

    private String string() {
        at++;
        int start = at;
        while (at < text.length() && text.charAt(at) != '"' && text.charAt(at) != '\\') {
            at++;
        }
        if (at < text.length() && text.charAt(at) == '"') {
            return text.substring(start, at++);
        }
        StringBuilder string = new StringBuilder(text.substring(start, at));
        while (at < text.length()) {
            char next = text.charAt(at++);
            if (next == '"') {
                return string.toString();
            }
            string.append(next == '\\' ? escaped() : next);
        }
        throw wrong("the end of the string");
    }

    private char escaped() {
        char next = at < text.length() ? text.charAt(at++) : 0;
        switch (next) {
            case 'n':
                return '\n';
            case 't':
                return '\t';
            case 'r':
                return '\r';
            case 'b':
                return '\b';
            case 'f':
                return '\f';
            case 'u':
                if (at + 4 > text.length()) {
                    throw wrong("four digits");
                }
                at += 4;
                return (char) Integer.parseInt(text.substring(at - 4, at), 16);
            default:
                return next;
        }
    }

    private Object number() {
        int start = at;
        boolean isWhole = true;
        while (at < text.length() && "+-.0123456789eE".indexOf(text.charAt(at)) >= 0) {
            isWhole &= ".eE".indexOf(text.charAt(at)) < 0;
            at++;
        }
        String number = text.substring(start, at);
        try {
            if (!isWhole) {
                return new BigDecimal(number);
            }
            if (number.length() < 19) {
                long whole = Long.parseLong(number);
                if (whole == (int) whole) {
                    return (int) whole;
                }
                return whole;
            }
            BigInteger whole = new BigInteger(number);
            if (whole.bitLength() < Long.SIZE) {
                return whole.longValue();
            }
            return whole;
        } catch (NumberFormatException e) {
            at = start;
            throw wrong("a value");
        }
    }

    private Object word(String word, Object value) {
        if (!text.startsWith(word, at)) {
            throw wrong("a value");
        }
        at += word.length();
        return value;
    }

    private boolean isNext(char wanted) {
        space();
        if (at < text.length() && text.charAt(at) == wanted) {
            at++;
            return true;
        }
        return false;
    }

    private void space() {
        while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) {
            at++;
        }
    }

    private IllegalArgumentException wrong(String expected) {
        String found = at < text.length() ? "'" + text.charAt(at) + "'" : "the end";
        return new IllegalArgumentException(
                "JSON: expected " + expected + " at character " + (at + 1) + ", found " + found);
    }
}
