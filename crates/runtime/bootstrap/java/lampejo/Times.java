package lampejo;

import java.lang.reflect.InvocationTargetException;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.time.DayOfWeek;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.Month;
import java.time.OffsetDateTime;
import java.time.Year;
import java.time.YearMonth;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.time.temporal.TemporalAccessor;
import java.util.ArrayList;
import java.util.List;

/**
 * Dates and times in JSON: moments and durations as seconds with nine decimals, dates and times of
 * day as arrays, all else as text. They are read from ISO texts too.
 */
final class Times {
    private static final int NANO_DIGITS = 9;

    private Times() {}

    /** What JSON has for it. */
    static Object plain(Object time) {
        if (time instanceof Instant) {
            return seconds(((Instant) time).getEpochSecond(), ((Instant) time).getNano());
        }
        if (time instanceof OffsetDateTime) {
            return plain(((OffsetDateTime) time).toInstant());
        }
        if (time instanceof ZonedDateTime) {
            return plain(((ZonedDateTime) time).toInstant());
        }
        if (time instanceof Duration) {
            return seconds(((Duration) time).getSeconds(), ((Duration) time).getNano());
        }
        List<Integer> parts = new ArrayList<Integer>();
        if (time instanceof LocalDate) {
            addDate((LocalDate) time, parts);
        } else if (time instanceof LocalTime) {
            addTime((LocalTime) time, parts);
        } else if (time instanceof LocalDateTime) {
            addDate(((LocalDateTime) time).toLocalDate(), parts);
            addTime(((LocalDateTime) time).toLocalTime(), parts);
        } else if (time instanceof YearMonth) {
            parts.add(((YearMonth) time).getYear());
            parts.add(((YearMonth) time).getMonthValue());
        } else {
            return time instanceof Year ? (Object) ((Year) time).getValue() : time.toString();
        }
        return parts;
    }

    static Object read(Object json, Class<?> type) {
        if (type == DayOfWeek.class || type == Month.class) {
            return Scalars.convert(json, type);
        }
        if (json instanceof List) {
            return ofParts((List<?>) json, type);
        }
        if (json instanceof Number) {
            return ofNumber(new BigDecimal(json.toString()), type);
        }
        String text = json.toString().trim();
        if (text.isEmpty()) {
            return null;
        }
        if (type == Instant.class) {
            return moment(text);
        }
        // Moments are told in UTC, wherever they were written.
        if (type == OffsetDateTime.class) {
            return OffsetDateTime.parse(text).withOffsetSameInstant(ZoneOffset.UTC);
        }
        if (type == ZonedDateTime.class) {
            return ZonedDateTime.parse(text).withZoneSameInstant(ZoneOffset.UTC);
        }
        try {
            boolean isZone = ZoneId.class.isAssignableFrom(type);
            Class<?> parameter = isZone ? String.class : CharSequence.class;
            return type.getMethod(isZone ? "of" : "parse", parameter).invoke(null, text);
        } catch (InvocationTargetException e) {
            throw new IllegalArgumentException(e.getCause());
        } catch (ReflectiveOperationException e) {
            throw Binder.mismatch(json, type);
        }
    }

    static boolean isDigits(String text) {
        for (int i = 0; i < text.length(); i++) {
            if (!Character.isDigit(text.charAt(i)) && !(i == 0 && text.charAt(0) == '-')) {
                return false;
            }
        }
        return !text.isEmpty();
    }

    /** Of an ISO text: a moment, or a day's beginning. */
    static long millis(String text) {
        return moment(text).toEpochMilli();
    }

    private static Instant moment(String text) {
        if (text.indexOf('T') < 0) {
            return LocalDate.parse(text).atStartOfDay(ZoneOffset.UTC).toInstant();
        }
        // Jackson's own format has no colon in the offset.
        int length = text.length();
        boolean isShort = length > 5 && "+-".indexOf(text.charAt(length - 5)) >= 0;
        int at = isShort ? length - 2 : length;
        String full = text.substring(0, at) + (isShort ? ":" : "") + text.substring(at);
        TemporalAccessor parsed = DateTimeFormatter.ISO_DATE_TIME.parseBest(
                full, ZonedDateTime::from, LocalDateTime::from);
        return parsed instanceof ZonedDateTime
                ? ((ZonedDateTime) parsed).toInstant()
                : ((LocalDateTime) parsed).toInstant(ZoneOffset.UTC);
    }

    private static Object ofNumber(BigDecimal number, Class<?> type) {
        BigDecimal whole = number.setScale(0, RoundingMode.FLOOR);
        long seconds = whole.longValue();
        long nanos = number.subtract(whole).movePointRight(NANO_DIGITS).longValue();
        Instant instant = Instant.ofEpochSecond(seconds, nanos);
        if (type == Instant.class) {
            return instant;
        }
        if (type == OffsetDateTime.class) {
            return instant.atOffset(ZoneOffset.UTC);
        }
        if (type == ZonedDateTime.class) {
            return instant.atZone(ZoneOffset.UTC);
        }
        if (type == Duration.class) {
            return Duration.ofSeconds(seconds, nanos);
        }
        if (type == Year.class) {
            return Year.of((int) seconds);
        }
        if (type == LocalDate.class) {
            return LocalDate.ofEpochDay(seconds);
        }
        throw Binder.mismatch(number, type);
    }

    private static Object ofParts(List<?> parts, Class<?> type) {
        int[] all = new int[7];
        for (int i = 0; i < parts.size() && i < all.length; i++) {
            all[i] = ((Number) parts.get(i)).intValue();
        }
        if (type == LocalDate.class) {
            return LocalDate.of(all[0], all[1], all[2]);
        }
        if (type == LocalTime.class) {
            return LocalTime.of(all[0], all[1], all[2], all[3]);
        }
        if (type == LocalDateTime.class) {
            return LocalDateTime.of(all[0], all[1], all[2], all[3], all[4], all[5], all[6]);
        }
        if (type == YearMonth.class) {
            return YearMonth.of(all[0], all[1]);
        }
        throw Binder.mismatch(parts, type);
    }

    private static BigDecimal seconds(long seconds, int nanos) {
        return BigDecimal.valueOf(seconds)
                .add(BigDecimal.valueOf(nanos, NANO_DIGITS))
                .setScale(NANO_DIGITS);
    }

    private static void addDate(LocalDate date, List<Integer> parts) {
        parts.add(date.getYear());
        parts.add(date.getMonthValue());
        parts.add(date.getDayOfMonth());
    }

    /** Seconds and their fraction only as far as there are some. */
    private static void addTime(LocalTime time, List<Integer> parts) {
        parts.add(time.getHour());
        parts.add(time.getMinute());
        if (time.getSecond() > 0 || time.getNano() > 0) {
            parts.add(time.getSecond());
        }
        if (time.getNano() > 0) {
            parts.add(time.getNano());
        }
    }
}
