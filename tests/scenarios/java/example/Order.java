package example;

import java.math.BigDecimal;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Date;
import java.util.List;
import java.util.Map;

/** Values with everything that JSON is made into. */
public class Order {
    public enum Kind { BOOK, RECORD }

    private String id;
    private Kind kind;
    private int count;
    private BigDecimal price;
    private Date placed;
    private Instant shipped;
    private byte[] signature;
    private List<Order> parts = new ArrayList<>();
    private Map<String, Object> extra;
    private String secret = "is not shown";

    public String getId() { return id; }

    public void setId(String id) { this.id = id; }

    public Kind getKind() { return kind; }

    public void setKind(Kind kind) { this.kind = kind; }

    public int getCount() { return count; }

    public void setCount(int count) { this.count = count; }

    public BigDecimal getPrice() { return price; }

    public void setPrice(BigDecimal price) { this.price = price; }

    public Date getPlaced() { return placed; }

    public void setPlaced(Date placed) { this.placed = placed; }

    public Instant getShipped() { return shipped; }

    public void setShipped(Instant shipped) { this.shipped = shipped; }

    public byte[] getSignature() { return signature; }

    public void setSignature(byte[] signature) { this.signature = signature; }

    public List<Order> getParts() { return parts; }

    public void setParts(List<Order> parts) { this.parts = parts; }

    public Map<String, Object> getExtra() { return extra; }

    public void setExtra(Map<String, Object> extra) { this.extra = extra; }
}
