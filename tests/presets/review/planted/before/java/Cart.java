public class Cart {
    private String state = "open";

    public String state() {
        return state;
    }
}
